import { memo } from "react";

function encode(text) {
  let result = "";
  let index = 0;
  while (index < text.length) {
    let run = 1;
    while (index + run < text.length && text[index + run] === text[index]) {
      run++;
    }
    result += text[index] + run;
    index += run;
  }
  return result;
}

function decode(code) {
  let result = "";
  let index = 0;
  while (index < code.length) {
    result += code[index].repeat(Number(code[index + 1]));
    index += 2;
  }
  return result;
}

const Row = memo(function Row({ text }) {
  const code = encode(text);
  const same = decode(code) === text;
  return (
    <li>
      {text} becomes {code}, restored: {same ? "yes" : "no"}
    </li>
  );
});

export default function RunLength({ texts = ["aaabccdddd", "x", "zzzzzz"] }) {
  return (
    <ul>
      {texts.map((text) => (
        <Row key={text} text={text} />
      ))}
    </ul>
  );
}

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

function main() {
  for (const text of ["aaabccdddd", "x", "zzzzzz"]) {
    const code = encode(text);
    const same = decode(code) === text;
    console.log(`${text} becomes ${code}, restored: ${same ? "yes" : "no"}`);
  }
}

main();

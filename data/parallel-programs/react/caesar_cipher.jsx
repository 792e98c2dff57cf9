import { useId, useState } from "react";

const ALPHABET = "abcdefghijklmnopqrstuvwxyz";

function shiftLetter(letter, distance) {
  const position = ALPHABET.indexOf(letter);
  if (position < 0) {
    return letter;
  }
  return ALPHABET[(position + distance) % ALPHABET.length];
}

function encode(text, distance) {
  return [...text].map((letter) => shiftLetter(letter, distance)).join("");
}

export default function CaesarCipher() {
  const id = useId();
  const [text, setText] = useState("attack at dawn, bring a zebra");
  const secret = encode(text, 3);

  return (
    <section>
      <label htmlFor={id}>Text</label>
      <input
        id={id}
        type="text"
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      <ul>
        <li>{secret}</li>
        <li>{encode(secret, 26 - 3)}</li>
      </ul>
    </section>
  );
}

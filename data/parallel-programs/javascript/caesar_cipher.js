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

function main() {
  const secret = encode("attack at dawn, bring a zebra", 3);
  console.log(secret);
  console.log(encode(secret, 26 - 3));
}

main();

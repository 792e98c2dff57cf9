const ALPHABET = "abcdefghijklmnopqrstuvwxyz";

function shiftLetter(letter: string, distance: number): string {
  const position = ALPHABET.indexOf(letter);
  if (position < 0) {
    return letter;
  }
  return ALPHABET[(position + distance) % ALPHABET.length];
}

function encode(text: string, distance: number): string {
  return [...text].map((letter) => shiftLetter(letter, distance)).join("");
}

function main(): void {
  const secret = encode("attack at dawn, bring a zebra", 3);
  console.log(secret);
  console.log(encode(secret, 26 - 3));
}

main();

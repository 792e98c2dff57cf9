const VALUES = [1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1];
const NUMERALS = [
  "M",
  "CM",
  "D",
  "CD",
  "C",
  "XC",
  "L",
  "XL",
  "X",
  "IX",
  "V",
  "IV",
  "I",
];

function toRoman(number) {
  let result = "";
  for (let index = 0; index < VALUES.length; index++) {
    while (number >= VALUES[index]) {
      result += NUMERALS[index];
      number -= VALUES[index];
    }
  }
  return result;
}

function main() {
  for (const year of [4, 1066, 1492, 1987, 2024]) {
    console.log(`${year} is ${toRoman(year)}`);
  }
}

main();

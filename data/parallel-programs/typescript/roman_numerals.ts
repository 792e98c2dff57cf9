const VALUES: readonly number[] = [
  1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1,
];
const NUMERALS: readonly string[] = [
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

function toRoman(number: number): string {
  let result = "";
  for (let index = 0; index < VALUES.length; index++) {
    while (number >= VALUES[index]) {
      result += NUMERALS[index];
      number -= VALUES[index];
    }
  }
  return result;
}

function main(): void {
  for (const year of [4, 1066, 1492, 1987, 2024]) {
    console.log(`${year} is ${toRoman(year)}`);
  }
}

main();

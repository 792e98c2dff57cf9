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

function Year({ year }) {
  return (
    <li>
      {year} is {toRoman(year)}
    </li>
  );
}

export default function RomanNumerals({ years = [4, 1066, 1492, 1987, 2024] }) {
  return (
    <ul>
      {years.map((year) => (
        <Year key={year} year={year} />
      ))}
    </ul>
  );
}

function countBits(number) {
  let count = 0;
  while (number !== 0) {
    count += number & 1;
    number >>= 1;
  }
  return count;
}

function isPowerOfTwo(number) {
  return number > 0 && (number & (number - 1)) === 0;
}

function main() {
  for (const number of [0, 1, 64, 255, 1000]) {
    const answer = isPowerOfTwo(number) ? "yes" : "no";
    console.log(
      `${number}: ${countBits(number)} bits, power of two: ${answer}`,
    );
  }
  console.log(6 ^ 3, 6 | 9, ~6 & 15, 1 << 10);
}

main();

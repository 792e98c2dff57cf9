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

function BitRow({ number }) {
  return (
    <li>
      {number}: {countBits(number)} bits, power of two:{" "}
      {isPowerOfTwo(number) ? "yes" : "no"}
    </li>
  );
}

export default function BitCounts({ numbers = [0, 1, 64, 255, 1000] }) {
  return (
    <ul>
      {numbers.map((number) => (
        <BitRow key={number} number={number} />
      ))}
      <li>
        {6 ^ 3} {6 | 9} {~6 & 15} {1 << 10}
      </li>
    </ul>
  );
}

const NUMBERS = [2, 3, 5, 7, 11, 13, 17, 19];
const TARGETS = [7, 2, 19, 4];

function binarySearch(items, target) {
  let low = 0;
  let high = items.length - 1;
  while (low <= high) {
    const middle = Math.floor((low + high) / 2);
    if (items[middle] === target) {
      return middle;
    } else if (items[middle] < target) {
      low = middle + 1;
    } else {
      high = middle - 1;
    }
  }
  return -1;
}

function SearchResult({ items, target }) {
  const position = binarySearch(items, target);
  if (position < 0) {
    return <li>{target} is missing</li>;
  }
  return (
    <li>
      {target} is at {position}
    </li>
  );
}

export default function BinarySearch() {
  return (
    <ul>
      {TARGETS.map((target) => (
        <SearchResult key={target} items={NUMBERS} target={target} />
      ))}
    </ul>
  );
}

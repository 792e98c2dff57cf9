function binarySearch(items: number[], target: number): number {
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

function main(): void {
  const numbers: number[] = [2, 3, 5, 7, 11, 13, 17, 19];
  for (const target of [7, 2, 19, 4]) {
    const position = binarySearch(numbers, target);
    if (position < 0) {
      console.log(`${target} is missing`);
    } else {
      console.log(`${target} is at ${position}`);
    }
  }
}

main();

function partition(items: number[], low: number, high: number): number {
  const pivot = items[high];
  let border = low;
  for (let index = low; index < high; index++) {
    if (items[index] < pivot) {
      [items[border], items[index]] = [items[index], items[border]];
      border++;
    }
  }
  [items[border], items[high]] = [items[high], items[border]];
  return border;
}

function quicksort(items: number[], low: number, high: number): void {
  if (low < high) {
    const border = partition(items, low, high);
    quicksort(items, low, border - 1);
    quicksort(items, border + 1, high);
  }
}

function main(): void {
  const numbers = [33, 4, 15, 8, 42, 16, 23, 4, 0, -7];
  quicksort(numbers, 0, numbers.length - 1);
  console.log(numbers.join(" "));
}

main();

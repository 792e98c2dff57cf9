import { useMemo } from "react";

const NUMBERS = [33, 4, 15, 8, 42, 16, 23, 4, 0, -7];

function partition(items, low, high) {
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

function quicksort(items, low, high) {
  if (low < high) {
    const border = partition(items, low, high);
    quicksort(items, low, border - 1);
    quicksort(items, border + 1, high);
  }
}

export default function Quicksort({ numbers = NUMBERS }) {
  const sorted = useMemo(() => {
    const items = [...numbers];
    quicksort(items, 0, items.length - 1);
    return items;
  }, [numbers]);

  return (
    <ul>
      <li>{sorted.join(" ")}</li>
    </ul>
  );
}

<?php

declare(strict_types=1);

function partition(array &$items, int $low, int $high): int
{
    $pivot = $items[$high];
    $border = $low;
    for ($index = $low; $index < $high; $index++) {
        if ($items[$index] < $pivot) {
            [$items[$border], $items[$index]] = [$items[$index], $items[$border]];
            $border++;
        }
    }
    [$items[$border], $items[$high]] = [$items[$high], $items[$border]];
    return $border;
}

function quicksort(array &$items, int $low, int $high): void
{
    if ($low < $high) {
        $border = partition($items, $low, $high);
        quicksort($items, $low, $border - 1);
        quicksort($items, $border + 1, $high);
    }
}

function main(): void
{
    $numbers = [33, 4, 15, 8, 42, 16, 23, 4, 0, -7];
    quicksort($numbers, 0, count($numbers) - 1);
    echo implode(' ', $numbers), "\n";
}

main();

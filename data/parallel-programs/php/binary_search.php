<?php

declare(strict_types=1);

function binarySearch(array $items, int $target): int
{
    $low = 0;
    $high = count($items) - 1;
    while ($low <= $high) {
        $middle = intdiv($low + $high, 2);
        if ($items[$middle] === $target) {
            return $middle;
        } elseif ($items[$middle] < $target) {
            $low = $middle + 1;
        } else {
            $high = $middle - 1;
        }
    }
    return -1;
}

function main(): void
{
    $numbers = [2, 3, 5, 7, 11, 13, 17, 19];
    foreach ([7, 2, 19, 4] as $target) {
        $position = binarySearch($numbers, $target);
        if ($position < 0) {
            echo "{$target} is missing\n";
        } else {
            echo "{$target} is at {$position}\n";
        }
    }
}

main();

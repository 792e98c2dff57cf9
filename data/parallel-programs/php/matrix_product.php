<?php

declare(strict_types=1);

function multiply(array $left, array $right): array
{
    $rows = count($left);
    $columns = count($right[0]);
    $product = array_fill(0, $rows, array_fill(0, $columns, 0));
    for ($row = 0; $row < $rows; $row++) {
        for ($column = 0; $column < $columns; $column++) {
            $total = 0;
            for ($inner = 0; $inner < count($right); $inner++) {
                $total += $left[$row][$inner] * $right[$inner][$column];
            }
            $product[$row][$column] = $total;
        }
    }
    return $product;
}

function main(): void
{
    $left = [[1, 2, 3], [4, 5, 6]];
    $right = [[7, 8], [9, 10], [11, 12]];
    foreach (multiply($left, $right) as $row) {
        echo implode(', ', $row), "\n";
    }
}

main();

<?php

declare(strict_types=1);

const VALUES = [1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1];
const NUMERALS = ['M', 'CM', 'D', 'CD', 'C', 'XC', 'L', 'XL', 'X', 'IX', 'V', 'IV', 'I'];

function toRoman(int $number): string
{
    $result = '';
    foreach (VALUES as $index => $value) {
        while ($number >= $value) {
            $result .= NUMERALS[$index];
            $number -= $value;
        }
    }
    return $result;
}

function main(): void
{
    foreach ([4, 1066, 1492, 1987, 2024] as $year) {
        $roman = toRoman($year);
        echo "{$year} is {$roman}\n";
    }
}

main();

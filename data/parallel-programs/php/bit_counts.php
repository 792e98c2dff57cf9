<?php

declare(strict_types=1);

function countBits(int $number): int
{
    $count = 0;
    while ($number !== 0) {
        $count += $number & 1;
        $number >>= 1;
    }
    return $count;
}

function isPowerOfTwo(int $number): bool
{
    return $number > 0 && ($number & ($number - 1)) === 0;
}

function main(): void
{
    foreach ([0, 1, 64, 255, 1000] as $number) {
        $bits = countBits($number);
        $answer = isPowerOfTwo($number) ? 'yes' : 'no';
        echo "{$number}: {$bits} bits, power of two: {$answer}\n";
    }
    echo implode(' ', [6 ^ 3, 6 | 9, ~6 & 15, 1 << 10]), "\n";
}

main();

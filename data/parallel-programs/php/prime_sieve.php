<?php

declare(strict_types=1);

function primesBelow(int $limit): array
{
    $isPrime = array_fill(0, $limit, true);
    $isPrime[0] = false;
    $isPrime[1] = false;
    for ($n = 2; $n * $n < $limit; $n++) {
        if ($isPrime[$n]) {
            for ($multiple = $n * $n; $multiple < $limit; $multiple += $n) {
                $isPrime[$multiple] = false;
            }
        }
    }
    return array_keys($isPrime, true, true);
}

function main(): void
{
    $primes = primesBelow(60);
    $count = count($primes);
    $last = end($primes);
    echo "{$count} primes, the last is {$last}\n";
    echo implode(' ', $primes), "\n";
}

main();

<?php

declare(strict_types=1);

function fibonacci(int $n, array &$cache): int
{
    if ($n < 2) {
        return $n;
    }
    if (!isset($cache[$n])) {
        $cache[$n] = fibonacci($n - 1, $cache) + fibonacci($n - 2, $cache);
    }
    return $cache[$n];
}

function main(): void
{
    $cache = [];
    for ($n = 0; $n < 50; $n += 7) {
        $value = fibonacci($n, $cache);
        echo "fibonacci({$n}) = {$value}\n";
    }
}

main();

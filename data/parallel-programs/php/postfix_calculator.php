<?php

declare(strict_types=1);

function evaluate(string $expression): int
{
    $stack = [];
    foreach (explode(' ', $expression) as $symbol) {
        if (in_array($symbol, ['+', '-', '*'], true)) {
            $right = array_pop($stack);
            $left = array_pop($stack);
            if ($symbol === '+') {
                $stack[] = $left + $right;
            } elseif ($symbol === '-') {
                $stack[] = $left - $right;
            } else {
                $stack[] = $left * $right;
            }
        } else {
            $stack[] = (int) $symbol;
        }
    }
    return array_pop($stack);
}

function main(): void
{
    foreach (['3 4 +', '5 1 2 + 4 * + 3 -', '2 3 * 4 5 * -'] as $expression) {
        $value = evaluate($expression);
        echo "{$expression} = {$value}\n";
    }
}

main();

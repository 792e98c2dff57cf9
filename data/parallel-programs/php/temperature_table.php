<?php

declare(strict_types=1);

function toFahrenheit(float $celsius): float
{
    return $celsius * 9.0 / 5.0 + 32.0;
}

function main(): void
{
    echo "celsius fahrenheit\n";
    $total = 0.0;
    $count = 0;
    for ($celsius = -10; $celsius < 45; $celsius += 10) {
        $fahrenheit = toFahrenheit($celsius);
        printf("%d %.1f\n", $celsius, $fahrenheit);
        $total += $fahrenheit;
        $count++;
    }
    printf("mean %.3f\n", $total / $count);
}

main();

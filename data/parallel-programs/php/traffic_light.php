<?php

declare(strict_types=1);

enum Light
{
    case Red;
    case Green;
    case Yellow;
}

function nextLight(Light $light): Light
{
    return match ($light) {
        Light::Red => Light::Green,
        Light::Green => Light::Yellow,
        Light::Yellow => Light::Red,
    };
}

function seconds(Light $light): int
{
    return match ($light) {
        Light::Red => 30,
        Light::Green => 25,
        Light::Yellow => 5,
    };
}

function main(): void
{
    $light = Light::Red;
    $elapsed = 0;
    do {
        $name = strtolower($light->name);
        echo "second {$elapsed}: {$name}\n";
        $elapsed += seconds($light);
        $light = nextLight($light);
    } while ($elapsed <= 120);
}

main();

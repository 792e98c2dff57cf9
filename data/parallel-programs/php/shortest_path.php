<?php

declare(strict_types=1);

function shortestPath(array $graph, string $start, string $goal): ?array
{
    $queue = [$start];
    $cameFrom = [$start => null];
    while ($queue !== []) {
        $place = array_shift($queue);
        if ($place === $goal) {
            break;
        }
        foreach ($graph[$place] as $neighbour) {
            if (!array_key_exists($neighbour, $cameFrom)) {
                $cameFrom[$neighbour] = $place;
                $queue[] = $neighbour;
            }
        }
    }
    if (!array_key_exists($goal, $cameFrom)) {
        return null;
    }
    $path = [];
    $place = $goal;
    while ($place !== null) {
        array_unshift($path, $place);
        $place = $cameFrom[$place];
    }
    return $path;
}

function main(): void
{
    $graph = [
        'A' => ['B', 'C'],
        'B' => ['A', 'D'],
        'C' => ['A', 'D'],
        'D' => ['B', 'C', 'E'],
        'E' => ['D'],
        'F' => [],
    ];
    foreach (['E', 'A', 'F'] as $goal) {
        $path = shortestPath($graph, 'A', $goal);
        if ($path === null) {
            echo "A to {$goal}: no path\n";
        } else {
            echo "A to {$goal}: ", implode(' ', $path), "\n";
        }
    }
}

main();

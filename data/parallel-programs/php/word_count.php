<?php

declare(strict_types=1);

function countWords(string $text): array
{
    $counts = [];
    foreach (explode(' ', strtolower($text)) as $word) {
        $counts[$word] = ($counts[$word] ?? 0) + 1;
    }
    return $counts;
}

function main(): void
{
    $text = 'The cat saw the dog and the dog saw the bird';
    $counts = countWords($text);
    ksort($counts);
    foreach ($counts as $word => $count) {
        if ($count > 1) {
            echo "{$word}: {$count}\n";
        }
    }
    $different = count($counts);
    echo "different words: {$different}\n";
}

main();

<?php

declare(strict_types=1);

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz';

function shiftLetter(string $letter, int $distance): string
{
    $position = strpos(ALPHABET, $letter);
    if ($position === false) {
        return $letter;
    }
    return ALPHABET[($position + $distance) % strlen(ALPHABET)];
}

function encode(string $text, int $distance): string
{
    $letters = array_map(
        fn (string $letter): string => shiftLetter($letter, $distance),
        str_split($text),
    );
    return implode('', $letters);
}

function main(): void
{
    $secret = encode('attack at dawn, bring a zebra', 3);
    echo $secret, "\n";
    echo encode($secret, 26 - 3), "\n";
}

main();

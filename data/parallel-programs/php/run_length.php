<?php

declare(strict_types=1);

function encode(string $text): string
{
    $result = '';
    $index = 0;
    while ($index < strlen($text)) {
        $run = 1;
        while ($index + $run < strlen($text) && $text[$index + $run] === $text[$index]) {
            $run++;
        }
        $result .= $text[$index] . $run;
        $index += $run;
    }
    return $result;
}

function decode(string $code): string
{
    $result = '';
    $index = 0;
    while ($index < strlen($code)) {
        $result .= str_repeat($code[$index], (int) $code[$index + 1]);
        $index += 2;
    }
    return $result;
}

function main(): void
{
    foreach (['aaabccdddd', 'x', 'zzzzzz'] as $text) {
        $code = encode($text);
        $same = decode($code) === $text;
        $answer = $same ? 'yes' : 'no';
        echo "{$text} becomes {$code}, restored: {$answer}\n";
    }
}

main();

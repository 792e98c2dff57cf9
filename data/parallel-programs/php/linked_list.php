<?php

declare(strict_types=1);

class Node
{
    public function __construct(
        public readonly int $value,
        public ?Node $nextNode = null,
    ) {
    }
}

class LinkedList
{
    private ?Node $head = null;

    public function push(int $value): void
    {
        $this->head = new Node($value, $this->head);
    }

    public function reverse(): void
    {
        $previous = null;
        $node = $this->head;
        while ($node !== null) {
            $following = $node->nextNode;
            $node->nextNode = $previous;
            $previous = $node;
            $node = $following;
        }
        $this->head = $previous;
    }

    public function describe(): string
    {
        $parts = [];
        $node = $this->head;
        while ($node !== null) {
            $parts[] = (string) $node->value;
            $node = $node->nextNode;
        }
        return implode(' -> ', $parts);
    }
}

function main(): void
{
    $numbers = new LinkedList();
    foreach (range(1, 5) as $value) {
        $numbers->push($value);
    }
    echo $numbers->describe(), "\n";
    $numbers->reverse();
    echo $numbers->describe(), "\n";
}

main();

<?php

declare(strict_types=1);

abstract class Shape
{
    abstract public function area(): float;

    abstract public function name(): string;
}

class Rectangle extends Shape
{
    public function __construct(
        private readonly float $width,
        private readonly float $height,
    ) {
    }

    public function area(): float
    {
        return $this->width * $this->height;
    }

    public function name(): string
    {
        return 'rectangle';
    }
}

class Triangle extends Shape
{
    public function __construct(
        private readonly float $base,
        private readonly float $height,
    ) {
    }

    public function area(): float
    {
        return $this->base * $this->height / 2;
    }

    public function name(): string
    {
        return 'triangle';
    }
}

function main(): void
{
    $shapes = [new Rectangle(3, 4), new Triangle(5, 3), new Rectangle(2, 2)];
    $total = 0;
    foreach ($shapes as $shape) {
        printf("%s: %.2f\n", $shape->name(), $shape->area());
        $total += $shape->area();
    }
    printf("total: %.2f\n", $total);
}

main();

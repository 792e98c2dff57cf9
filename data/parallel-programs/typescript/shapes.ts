abstract class Shape {
  abstract area(): number;

  abstract name(): string;
}

class Rectangle extends Shape {
  private readonly width: number;
  private readonly height: number;

  constructor(width: number, height: number) {
    super();
    this.width = width;
    this.height = height;
  }

  area(): number {
    return this.width * this.height;
  }

  name(): string {
    return "rectangle";
  }
}

class Triangle extends Shape {
  private readonly base: number;
  private readonly height: number;

  constructor(base: number, height: number) {
    super();
    this.base = base;
    this.height = height;
  }

  area(): number {
    return (this.base * this.height) / 2;
  }

  name(): string {
    return "triangle";
  }
}

function main(): void {
  const shapes: Shape[] = [
    new Rectangle(3, 4),
    new Triangle(5, 3),
    new Rectangle(2, 2),
  ];
  let total = 0;
  for (const shape of shapes) {
    console.log(`${shape.name()}: ${shape.area().toFixed(2)}`);
    total += shape.area();
  }
  console.log(`total: ${total.toFixed(2)}`);
}

main();

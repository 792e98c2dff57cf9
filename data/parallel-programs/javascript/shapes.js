class Shape {
  area() {
    throw new Error("not implemented");
  }

  name() {
    throw new Error("not implemented");
  }
}

class Rectangle extends Shape {
  constructor(width, height) {
    super();
    this.width = width;
    this.height = height;
  }

  area() {
    return this.width * this.height;
  }

  name() {
    return "rectangle";
  }
}

class Triangle extends Shape {
  constructor(base, height) {
    super();
    this.base = base;
    this.height = height;
  }

  area() {
    return (this.base * this.height) / 2;
  }

  name() {
    return "triangle";
  }
}

function main() {
  const shapes = [new Rectangle(3, 4), new Triangle(5, 3), new Rectangle(2, 2)];
  let total = 0;
  for (const shape of shapes) {
    console.log(`${shape.name()}: ${shape.area().toFixed(2)}`);
    total += shape.area();
  }
  console.log(`total: ${total.toFixed(2)}`);
}

main();

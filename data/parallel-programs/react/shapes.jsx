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

const SHAPES = [new Rectangle(3, 4), new Triangle(5, 3), new Rectangle(2, 2)];

function Row({ label, area }) {
  return (
    <li>
      {label}: {area.toFixed(2)}
    </li>
  );
}

export default function Shapes({ shapes = SHAPES }) {
  const total = shapes.reduce((sum, shape) => sum + shape.area(), 0);

  return (
    <ul>
      {shapes.map((shape, index) => (
        <Row key={index} label={shape.name()} area={shape.area()} />
      ))}
      <Row label="total" area={total} />
    </ul>
  );
}

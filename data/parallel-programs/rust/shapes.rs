trait Shape {
    fn area(&self) -> f64;
    fn name(&self) -> &str;
}

struct Rectangle {
    width: f64,
    height: f64,
}

impl Shape for Rectangle {
    fn area(&self) -> f64 {
        self.width * self.height
    }

    fn name(&self) -> &str {
        "rectangle"
    }
}

struct Triangle {
    base: f64,
    height: f64,
}

impl Shape for Triangle {
    fn area(&self) -> f64 {
        self.base * self.height / 2.0
    }

    fn name(&self) -> &str {
        "triangle"
    }
}

fn main() {
    let shapes: Vec<Box<dyn Shape>> = vec![
        Box::new(Rectangle {
            width: 3.0,
            height: 4.0,
        }),
        Box::new(Triangle {
            base: 5.0,
            height: 3.0,
        }),
        Box::new(Rectangle {
            width: 2.0,
            height: 2.0,
        }),
    ];
    let mut total = 0.0;
    for shape in &shapes {
        println!("{}: {:.2}", shape.name(), shape.area());
        total += shape.area();
    }
    println!("total: {total:.2}");
}

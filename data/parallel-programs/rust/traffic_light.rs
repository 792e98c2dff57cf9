use std::fmt;

#[derive(Clone, Copy)]
enum Light {
    Red,
    Green,
    Yellow,
}

impl fmt::Display for Light {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Light::Red => write!(f, "red"),
            Light::Green => write!(f, "green"),
            Light::Yellow => write!(f, "yellow"),
        }
    }
}

fn next_light(light: Light) -> Light {
    match light {
        Light::Red => Light::Green,
        Light::Green => Light::Yellow,
        Light::Yellow => Light::Red,
    }
}

fn seconds(light: Light) -> u32 {
    match light {
        Light::Red => 30,
        Light::Green => 25,
        Light::Yellow => 5,
    }
}

fn main() {
    let mut light = Light::Red;
    let mut elapsed = 0;
    loop {
        println!("second {elapsed}: {light}");
        elapsed += seconds(light);
        light = next_light(light);
        if elapsed > 120 {
            break;
        }
    }
}

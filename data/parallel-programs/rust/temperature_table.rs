fn to_fahrenheit(celsius: f64) -> f64 {
    celsius * 9.0 / 5.0 + 32.0
}

fn main() {
    println!("celsius fahrenheit");
    let mut total = 0.0;
    let mut count = 0;
    for celsius in (-10..45).step_by(10) {
        let fahrenheit = to_fahrenheit(f64::from(celsius));
        println!("{celsius} {fahrenheit:.1}");
        total += fahrenheit;
        count += 1;
    }
    println!("mean {:.3}", total / f64::from(count));
}

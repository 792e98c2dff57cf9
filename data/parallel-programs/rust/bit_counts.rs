fn count_bits(mut number: u32) -> u32 {
    let mut count = 0;
    while number != 0 {
        count += number & 1;
        number >>= 1;
    }
    count
}

fn is_power_of_two(number: u32) -> bool {
    number > 0 && number & (number - 1) == 0
}

fn main() {
    for number in [0, 1, 64, 255, 1000] {
        let answer = if is_power_of_two(number) { "yes" } else { "no" };
        let bits = count_bits(number);
        println!("{number}: {bits} bits, power of two: {answer}");
    }
    println!("{} {} {} {}", 6 ^ 3, 6 | 9, !6 & 15, 1 << 10);
}

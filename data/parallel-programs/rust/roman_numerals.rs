const VALUES: [u32; 13] = [1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1];
const NUMERALS: [&str; 13] = [
    "M", "CM", "D", "CD", "C", "XC", "L", "XL", "X", "IX", "V", "IV", "I",
];

fn to_roman(mut number: u32) -> String {
    let mut result = String::new();
    for (value, numeral) in VALUES.into_iter().zip(NUMERALS) {
        while number >= value {
            result.push_str(numeral);
            number -= value;
        }
    }
    result
}

fn main() {
    for year in [4, 1066, 1492, 1987, 2024] {
        println!("{year} is {}", to_roman(year));
    }
}

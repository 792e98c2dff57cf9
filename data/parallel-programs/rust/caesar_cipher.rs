const ALPHABET: &str = "abcdefghijklmnopqrstuvwxyz";

fn shift_letter(letter: char, distance: usize) -> char {
    match ALPHABET.find(letter) {
        Some(position) => {
            let shifted = (position + distance) % ALPHABET.len();
            char::from(ALPHABET.as_bytes()[shifted])
        }
        None => letter,
    }
}

fn encode(text: &str, distance: usize) -> String {
    text.chars()
        .map(|letter| shift_letter(letter, distance))
        .collect()
}

fn main() {
    let secret = encode("attack at dawn, bring a zebra", 3);
    println!("{secret}");
    println!("{}", encode(&secret, 26 - 3));
}

use std::iter;

fn encode(text: &str) -> String {
    let text: Vec<char> = text.chars().collect();
    let mut result = String::new();
    let mut index = 0;
    while index < text.len() {
        let mut run = 1;
        while index + run < text.len() && text[index + run] == text[index] {
            run += 1;
        }
        result.push(text[index]);
        result.push_str(&run.to_string());
        index += run;
    }
    result
}

fn decode(code: &str) -> Option<String> {
    let code: Vec<char> = code.chars().collect();
    let mut result = String::new();
    let mut index = 0;
    while index < code.len() {
        let run = code.get(index + 1)?.to_digit(10)?;
        result.extend(iter::repeat_n(code[index], run as usize));
        index += 2;
    }
    Some(result)
}

fn main() {
    for text in ["aaabccdddd", "x", "zzzzzz"] {
        let code = encode(text);
        let same = decode(&code).as_deref() == Some(text);
        let answer = if same { "yes" } else { "no" };
        println!("{text} becomes {code}, restored: {answer}");
    }
}

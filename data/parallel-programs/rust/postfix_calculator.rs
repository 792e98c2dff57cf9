fn evaluate(expression: &str) -> Option<i32> {
    let mut stack = Vec::new();
    for symbol in expression.split_whitespace() {
        match symbol {
            "+" | "-" | "*" => {
                let right = stack.pop()?;
                let left = stack.pop()?;
                stack.push(match symbol {
                    "+" => left + right,
                    "-" => left - right,
                    _ => left * right,
                });
            }
            _ => stack.push(symbol.parse().ok()?),
        }
    }
    stack.pop()
}

fn main() {
    for expression in ["3 4 +", "5 1 2 + 4 * + 3 -", "2 3 * 4 5 * -"] {
        match evaluate(expression) {
            Some(value) => println!("{expression} = {value}"),
            None => println!("{expression} is malformed"),
        }
    }
}

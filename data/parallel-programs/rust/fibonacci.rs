use std::collections::HashMap;

fn fibonacci(n: u64, cache: &mut HashMap<u64, u64>) -> u64 {
    if n < 2 {
        return n;
    }
    if let Some(&value) = cache.get(&n) {
        return value;
    }
    let value = fibonacci(n - 1, cache) + fibonacci(n - 2, cache);
    cache.insert(n, value);
    value
}

fn main() {
    let mut cache = HashMap::new();
    for n in (0..50).step_by(7) {
        println!("fibonacci({n}) = {}", fibonacci(n, &mut cache));
    }
}

fn primes_below(limit: usize) -> Vec<usize> {
    let mut is_prime = vec![true; limit];
    is_prime[0] = false;
    is_prime[1] = false;
    let mut n = 2;
    while n * n < limit {
        if is_prime[n] {
            for multiple in (n * n..limit).step_by(n) {
                is_prime[multiple] = false;
            }
        }
        n += 1;
    }
    (0..limit).filter(|&n| is_prime[n]).collect()
}

fn main() {
    let primes = primes_below(60);
    if let Some(last) = primes.last() {
        println!("{} primes, the last is {last}", primes.len());
    }
    let words: Vec<String> = primes.iter().map(|prime| prime.to_string()).collect();
    println!("{}", words.join(" "));
}

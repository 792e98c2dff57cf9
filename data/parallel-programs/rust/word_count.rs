use std::collections::BTreeMap;

fn count_words(text: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for word in text.to_lowercase().split_whitespace() {
        *counts.entry(word.to_string()).or_insert(0) += 1;
    }
    counts
}

fn main() {
    let text = "The cat saw the dog and the dog saw the bird";
    let counts = count_words(text);
    for (word, &count) in &counts {
        if count > 1 {
            println!("{word}: {count}");
        }
    }
    println!("different words: {}", counts.len());
}

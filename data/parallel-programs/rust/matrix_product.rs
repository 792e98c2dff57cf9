fn multiply(left: &[Vec<i32>], right: &[Vec<i32>]) -> Vec<Vec<i32>> {
    let rows = left.len();
    let columns = right[0].len();
    let mut product = vec![vec![0; columns]; rows];
    for row in 0..rows {
        for column in 0..columns {
            let mut total = 0;
            for inner in 0..right.len() {
                total += left[row][inner] * right[inner][column];
            }
            product[row][column] = total;
        }
    }
    product
}

fn main() {
    let left = [vec![1, 2, 3], vec![4, 5, 6]];
    let right = [vec![7, 8], vec![9, 10], vec![11, 12]];
    for row in multiply(&left, &right) {
        let values: Vec<String> = row.iter().map(|value| value.to_string()).collect();
        println!("{}", values.join(", "));
    }
}

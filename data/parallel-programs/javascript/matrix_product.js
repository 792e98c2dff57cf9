function multiply(left, right) {
  const rows = left.length;
  const columns = right[0].length;
  const product = Array.from({ length: rows }, () => Array(columns).fill(0));
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      let total = 0;
      for (let inner = 0; inner < right.length; inner++) {
        total += left[row][inner] * right[inner][column];
      }
      product[row][column] = total;
    }
  }
  return product;
}

function main() {
  const left = [
    [1, 2, 3],
    [4, 5, 6],
  ];
  const right = [
    [7, 8],
    [9, 10],
    [11, 12],
  ];
  for (const row of multiply(left, right)) {
    console.log(row.join(", "));
  }
}

main();

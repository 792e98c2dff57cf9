type Matrix = number[][];

function multiply(left: Matrix, right: Matrix): Matrix {
  const rows = left.length;
  const columns = right[0].length;
  const product: Matrix = Array.from({ length: rows }, () =>
    Array<number>(columns).fill(0),
  );
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

function main(): void {
  const left: Matrix = [
    [1, 2, 3],
    [4, 5, 6],
  ];
  const right: Matrix = [
    [7, 8],
    [9, 10],
    [11, 12],
  ];
  for (const row of multiply(left, right)) {
    console.log(row.join(", "));
  }
}

main();

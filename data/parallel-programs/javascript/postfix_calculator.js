function evaluate(expression) {
  const stack = [];
  for (const symbol of expression.split(" ")) {
    if (["+", "-", "*"].includes(symbol)) {
      const right = stack.pop();
      const left = stack.pop();
      if (symbol === "+") {
        stack.push(left + right);
      } else if (symbol === "-") {
        stack.push(left - right);
      } else {
        stack.push(left * right);
      }
    } else {
      stack.push(Number(symbol));
    }
  }
  return stack.pop();
}

function main() {
  for (const expression of ["3 4 +", "5 1 2 + 4 * + 3 -", "2 3 * 4 5 * -"]) {
    console.log(`${expression} = ${evaluate(expression)}`);
  }
}

main();

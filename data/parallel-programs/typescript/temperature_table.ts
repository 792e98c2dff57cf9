function toFahrenheit(celsius: number): number {
  return (celsius * 9.0) / 5.0 + 32.0;
}

function main(): void {
  console.log("celsius fahrenheit");
  let total = 0.0;
  let count = 0;
  for (let celsius = -10; celsius < 45; celsius += 10) {
    const fahrenheit = toFahrenheit(celsius);
    console.log(`${celsius} ${fahrenheit.toFixed(1)}`);
    total += fahrenheit;
    count++;
  }
  console.log(`mean ${(total / count).toFixed(3)}`);
}

main();

count-results = { $count ->
    [one] 1 product
   *[other] { $count } products
}

# Every vector that every language runs, and every changed byte of a license.
require "json"
require "minitest/autorun"
require "mintreu"

VECTORS = ENV.fetch("MINTREU_VECTORS")
LICENSES = JSON.parse(File.read(File.join(VECTORS, "licenses.json")))["cases"]
FOREVER = LICENSES.find { |one| one["name"] == "without end, in the far future" }
LICENSE, TRUST = FOREVER.values_at("license", "trust")

module Run
  GRANTS = { "GRANTED" => ->(_) { true }, "LIMIT" => :units.to_proc, "VALUE" => :text.to_proc }.freeze

  module_function

  def facts(one, **more)
    given = %w[now version released_at].to_h { |name| [name.to_sym, one[name]] }
    Mintreu::Circumstances.new(**given, **more)
  end

  def judged(one, facts)
    verdict = Mintreu.verdict(one["license"], one["trust"], facts)
    { "verdict" => verdict.code, "allowed" => verdict.allowed }
  end

  def license(one)
    found = judged(one, facts(one))
    found["license"] = claims(one) if one["expect"]["license"]
    found
  end

  def claims(one)
    license = Mintreu.verify(one["license"], one["trust"], facts(one))
    grant = ->(given) { GRANTS.fetch(given.class.name.split("::").last).call(given) }
    bounds = ->(quota) { { "limit" => quota.limit, "window" => quota.window } }
    { "id" => license.id, "product" => license.product, "edition" => license.edition,
      "entitlements" => license.entitlements.transform_values(&grant),
      "quotas" => license.quotas.transform_values(&bounds) }
  end

  def activation(one)
    held = %w[device activation lease].to_h { |name| [name.to_sym, one[name]] }
    news = %w[key_sets revocations].to_h { |name| [name.to_sym, one[name] || []] }
    judged(one, facts(one, **held, **news))
  end

  def redeem_code(one) = or_code { { "canonical" => Mintreu.redeem_code(one["code"]) } }

  def trust(one) = or_code { { "product" => Mintreu.trust_product(one["trust"]) } }

  def price(one)
    or_code do
      told(Mintreu.bill(one["charges"].map { |of| charge(of) }, terms(one)))
    end
  end

  def charge(given)
    cells = (given["cells"] || []).map do |cell|
      Mintreu::CellUsage.new(dimensions: cell["dimensions"], quantity: cell["quantity"])
    end
    Mintreu::Charge.new(
      name: given["name"], tariff: given["tariff"], quantity: given["quantity"],
      transactions: given["transactions"], each: given["each"] || [], cells: cells
    )
  end

  def terms(one)
    credits = (one["credits"] || []).map { |credit| Mintreu::Credit.new(**credit.transform_keys(&:to_sym)) }
    share = one["share"]&.then { |from, to, whole| Mintreu::Share.new(from: from, to: to, whole: whole) }
    Mintreu::BillTerms.new(credits: credits, commitment: one["commitment"], share: share, at: one["now"] || 0)
  end

  def told(bill)
    raise "the lines don't add up" unless bill.lines.sum { |line| line.amount.minor } == bill.total.minor

    { "lines" => bill.lines.map { |line| { "charge" => line.charge, "kind" => line.kind, "text" => line.text } },
      "cost" => bill.cost.text, "total" => bill.total.text,
      "burns" => bill.burns.map { |burn| "#{burn.credit}: #{burn.units || burn.amount.text}" } }
  end

  def or_code
    { "ok" => yield }
  rescue Mintreu::MintreuError::Failed => e
    { "error" => e.code }
  end
end

class VectorsTest < Minitest::Test
  ran = 0
  Dir[File.join(VECTORS, "*.json")].sort.each do |path|
    file = JSON.parse(File.read(path))
    file["cases"].each do |one|
      ran += 1
      define_method("test_#{ran}_#{file['file']}_#{one['name']}") do
        assert_equal one["expect"], Run.public_send(file["file"], one)
      end
    end
  end
  raise "only #{ran} vectors" if ran < 200
end

class TamperTest < Minitest::Test
  DOCUMENT = LICENSE.delete_prefix("MT1-").tr("-_", "+/").unpack1("m")

  def verifies?(bytes)
    text = "MT1-" + [bytes].pack("m0").tr("+/", "-_").delete("=")
    Mintreu.verify(text, TRUST, Mintreu::Circumstances.new)
    true
  rescue Mintreu::MintreuError::Failed
    false
  end

  def test_the_unchanged_license_verifies
    assert verifies?(DOCUMENT)
  end

  def test_every_flipped_bit_is_refused
    (DOCUMENT.bytesize * 8).times do |bit|
      changed = DOCUMENT.dup
      changed.setbyte(bit / 8, changed.getbyte(bit / 8) ^ (1 << (bit % 8)))
      refute verifies?(changed), "bit #{bit}"
    end
  end

  def test_every_cut_is_refused
    DOCUMENT.bytesize.times { |length| refute verifies?(DOCUMENT.byteslice(0, length)), "cut to #{length}" }
  end
end

"""Small electronic invoices in XML: UBL, a credit note, and a Cross Industry Invoice. Our own data."""

from __future__ import annotations

_UBL = "urn:oasis:names:specification:ubl:schema:xsd"
_CII = "urn:un:unece:uncefact:data:standard"


def ubl_invoice(*, kind: str = "Invoice", more: str = "", lines: int = 2) -> bytes:
    """Return an invoice or, as ``kind``, a "CreditNote". ``more``: elements before the parties."""
    code = "380" if kind == "Invoice" else "381"
    quantity = "InvoicedQuantity" if kind == "Invoice" else "CreditedQuantity"
    items = "".join(
        f"<cac:{kind}Line><cbc:ID>{number}</cbc:ID><cbc:{quantity} unitCode='KGM'>{number}</cbc:{quantity}>"
        f"<cbc:LineExtensionAmount currencyID='EUR'>{number * 2}.00</cbc:LineExtensionAmount>"
        f"<cac:Item><cbc:Description>Fine &amp; fresh</cbc:Description><cbc:Name>Rye flour {number}</cbc:Name>"
        "<cac:ClassifiedTaxCategory><cbc:ID>S</cbc:ID><cbc:Percent>7</cbc:Percent><cac:TaxScheme><cbc:ID>VAT</cbc:ID>"
        "</cac:TaxScheme></cac:ClassifiedTaxCategory><cac:AdditionalItemProperty><cbc:Name>Colour</cbc:Name>"
        "<cbc:Value>grey</cbc:Value></cac:AdditionalItemProperty></cac:Item>"
        f"<cac:Price><cbc:PriceAmount currencyID='EUR'>2.00</cbc:PriceAmount></cac:Price></cac:{kind}Line>"
        for number in range(1, lines + 1)
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<!-- made by hand --><ubl:{kind} xmlns:ubl="{_UBL}:{kind}-2" '
        f'xmlns:cac="{_UBL}:CommonAggregateComponents-2" xmlns:cbc="{_UBL}:CommonBasicComponents-2">'
        "<cbc:CustomizationID>urn:cen.eu:en16931:2017</cbc:CustomizationID><cbc:ID>R-7</cbc:ID>"
        f"<cbc:IssueDate>2026-12-01</cbc:IssueDate><cbc:{kind}TypeCode listID='UNCL1001'>{code}</cbc:{kind}TypeCode>"
        f"<cbc:Note>Thank you</cbc:Note><cbc:DocumentCurrencyCode>EUR</cbc:DocumentCurrencyCode>{more}"
        "<cac:AccountingSupplierParty><cac:Party><cbc:EndpointID schemeID='0088'>4000</cbc:EndpointID>"
        "<cac:PostalAddress><cbc:StreetName>Mühlweg 1</cbc:StreetName><cbc:CityName>Bonn</cbc:CityName><cac:Country>"
        "<cbc:IdentificationCode>DE</cbc:IdentificationCode></cac:Country></cac:PostalAddress><cac:PartyLegalEntity>"
        "<cbc:RegistrationName>Müller AG</cbc:RegistrationName></cac:PartyLegalEntity></cac:Party>"
        "</cac:AccountingSupplierParty><cac:AccountingCustomerParty><cac:Party><cac:PartyName>"
        "<cbc:Name>Bakery</cbc:Name></cac:PartyName></cac:Party></cac:AccountingCustomerParty><cac:PaymentMeans><cbc:PaymentMeansCode>58"
        "</cbc:PaymentMeansCode><cac:PayeeFinancialAccount><cbc:ID>DE02120300000000202051</cbc:ID>"
        "</cac:PayeeFinancialAccount></cac:PaymentMeans><cac:TaxTotal>"
        "<cbc:TaxAmount currencyID='EUR'>0.42</cbc:TaxAmount>"
        "<cac:TaxSubtotal><cbc:TaxableAmount currencyID='EUR'>6.00</cbc:TaxableAmount>"
        "<cbc:TaxAmount currencyID='EUR'>0.42"
        "</cbc:TaxAmount><cac:TaxCategory><cbc:ID>S</cbc:ID><cbc:Percent>7</cbc:Percent><cac:TaxScheme>"
        "<cbc:ID>VAT</cbc:ID></cac:TaxScheme></cac:TaxCategory></cac:TaxSubtotal></cac:TaxTotal><cac:LegalMonetaryTotal>"
        "<cbc:PayableAmount currencyID='EUR'>6.42</cbc:PayableAmount></cac:LegalMonetaryTotal>"
        f"{items}</ubl:{kind}>"
    ).encode()


def cii_invoice() -> bytes:
    date = '<udt:DateTimeString format="102">20261201</udt:DateTimeString>'
    return (
        f'<rsm:CrossIndustryInvoice xmlns:rsm="{_CII}:CrossIndustryInvoice:100"'
        f' xmlns:udt="{_CII}:UnqualifiedDataType:100"'
        f' xmlns:ram="{_CII}:ReusableAggregateBusinessInformationEntity:100">'
        f"<rsm:ExchangedDocument>"
        f"<ram:ID>F-8</ram:ID><ram:TypeCode>380</ram:TypeCode><ram:IssueDateTime>{date}</ram:IssueDateTime><ram:IncludedNote>"
        "<ram:Content>Thank you</ram:Content><ram:SubjectCode>AAI</ram:SubjectCode></ram:IncludedNote>"
        "</rsm:ExchangedDocument><rsm:SupplyChainTradeTransaction><ram:IncludedSupplyChainTradeLineItem>"
        "<ram:AssociatedDocumentLineDocument><ram:LineID>1</ram:LineID></ram:AssociatedDocumentLineDocument>"
        "<ram:SpecifiedTradeProduct><ram:Name>Rye flour</ram:Name></ram:SpecifiedTradeProduct>"
        "<ram:SpecifiedLineTradeAgreement><ram:NetPriceProductTradePrice><ram:ChargeAmount>2.00</ram:ChargeAmount>"
        "</ram:NetPriceProductTradePrice></ram:SpecifiedLineTradeAgreement><ram:SpecifiedLineTradeDelivery>"
        '<ram:BilledQuantity unitCode="KGM">3</ram:BilledQuantity></ram:SpecifiedLineTradeDelivery>'
        "<ram:SpecifiedLineTradeSettlement><ram:ApplicableTradeTax><ram:TypeCode>VAT</ram:TypeCode><ram:CategoryCode>S"
        "</ram:CategoryCode><ram:RateApplicablePercent>7</ram:RateApplicablePercent></ram:ApplicableTradeTax>"
        "<ram:SpecifiedTradeSettlementLineMonetarySummation><ram:LineTotalAmount>6.00</ram:LineTotalAmount>"
        "</ram:SpecifiedTradeSettlementLineMonetarySummation></ram:SpecifiedLineTradeSettlement>"
        "</ram:IncludedSupplyChainTradeLineItem><ram:ApplicableHeaderTradeAgreement><ram:SellerTradeParty>"
        '<ram:Name>Müller AG</ram:Name><ram:SpecifiedTaxRegistration><ram:ID schemeID="VA">DE1</ram:ID>'
        "</ram:SpecifiedTaxRegistration></ram:SellerTradeParty></ram:ApplicableHeaderTradeAgreement>"
        "<ram:ApplicableHeaderTradeSettlement><ram:InvoiceCurrencyCode>EUR</ram:InvoiceCurrencyCode>"
        "<ram:SpecifiedTradeSettlementHeaderMonetarySummation><ram:GrandTotalAmount>6.42</ram:GrandTotalAmount>"
        "</ram:SpecifiedTradeSettlementHeaderMonetarySummation></ram:ApplicableHeaderTradeSettlement>"
        "</rsm:SupplyChainTradeTransaction></rsm:CrossIndustryInvoice>"
    ).encode()

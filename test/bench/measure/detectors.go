package measure

import "github.com/sallyport/sallyport/api/v1alpha1"

// AllDetectors is masking by every detector there is.
func AllDetectors() *v1alpha1.MaskingPolicy {
	m := &v1alpha1.MaskingPolicy{}
	for name, detect := range map[string]v1alpha1.Detect{
		"card": v1alpha1.DetectPaymentCard, "email": v1alpha1.DetectEmail, "phone": v1alpha1.DetectPhone,
		"iban": v1alpha1.DetectIBAN, "national-id": v1alpha1.DetectNationalID, "ip": v1alpha1.DetectIPAddress,
		"jwt": v1alpha1.DetectJWT, "private-key": v1alpha1.DetectPrivateKey, "cloud-key": v1alpha1.DetectCloudKey,
	} {
		m.Detectors = append(m.Detectors, v1alpha1.DetectorMask{Name: name, Detect: detect, Mask: v1alpha1.Mask{How: v1alpha1.MaskRedact}})
	}
	return m
}
